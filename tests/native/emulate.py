"""Runs a static aarch64 Linux program on any machine: an emulated CPU, and the few system calls that musl makes.

emulate.py PROGRAM ARGUMENT…; its output becomes ours, and so does its exit status.
"""

# mypy: allow-untyped-calls

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any, NamedTuple

from unicorn import UC_ARCH_ARM64, UC_HOOK_INTR, UC_MODE_ARM, UC_PROT_ALL, Uc  # type: ignore[attr-defined]
from unicorn import arm64_const as reg

PAGE = 1 << 12
HEAP, HEAP_SIZE = 1 << 32, 1 << 28
MAPPED = 2 << 32
STACK, STACK_SIZE = 4 << 32, 1 << 23
NO_SUCH_CALL, NO_MEMORY = -38, -12
LOADED = 1


class Segment(NamedTuple):
    """An ELF program header."""

    type: int
    flags: int
    offset: int
    address: int
    physical: int
    file_size: int
    size: int
    align: int


def _pages(size: int) -> int:
    return -(-size // PAGE) * PAGE


class Machine:
    """A CPU with a program loaded."""

    def __init__(self, program: Path, arguments: list[str]) -> None:
        self.cpu = Uc(UC_ARCH_ARM64, UC_MODE_ARM)
        self.cpu.reg_write(reg.UC_ARM64_REG_CPACR_EL1, 3 << 20)  # floating point on
        self.status: int | None = None
        self._break, self._next = HEAP, MAPPED
        image = program.read_bytes()
        (self.entry,), (at,), (size, count) = (
            struct.unpack_from(f"<{kind}", image, where) for kind, where in (("Q", 24), ("Q", 32), ("HH", 54))
        )
        segments = [Segment(*struct.unpack_from("<IIQQQQQQ", image, at + i * size)) for i in range(count)]
        loaded = [segment for segment in segments if segment.type == LOADED]
        low = loaded[0].address // PAGE * PAGE
        self.cpu.mem_map(low, _pages(max(segment.address + segment.size for segment in loaded) - low), UC_PROT_ALL)
        for segment in loaded:
            self.cpu.mem_write(segment.address, image[segment.offset : segment.offset + segment.file_size])
        self.cpu.mem_map(HEAP, HEAP_SIZE)
        self.cpu.mem_map(STACK, STACK_SIZE)
        headers = next(segment.address - segment.offset for segment in loaded if not segment.offset) + at
        self._push([str(program), *arguments], {3: headers, 4: size, 5: count, 6: PAGE, 25: STACK})
        self.cpu.hook_add(UC_HOOK_INTR, self._call)

    def _push(self, arguments: list[str], auxiliary: dict[int, int]) -> None:
        """What a program finds on its stack: argc, argv, the environment (empty), the auxiliary vector."""
        top, pointers = STACK + STACK_SIZE, []
        for argument in arguments:
            text = argument.encode() + b"\0"
            top -= len(text)
            self.cpu.mem_write(top, text)
            pointers.append(top)
        pairs = [value for pair in auxiliary.items() for value in pair]
        words = [len(pointers), *pointers, 0, 0, *pairs, 0, 0]
        top = (top - 8 * len(words)) // 16 * 16
        self.cpu.mem_write(top, struct.pack(f"<{len(words)}Q", *words))
        self.cpu.reg_write(reg.UC_ARM64_REG_SP, top)

    def run(self) -> int:
        """The exit status."""
        self.cpu.emu_start(self.entry, 0)
        if self.status is None:
            raise RuntimeError(f"the program stopped at {self.cpu.reg_read(reg.UC_ARM64_REG_PC):#x}")
        return self.status

    def _call(self, cpu: Any, number: int, _: Any) -> None:
        if number != 2:  # no system call, but a fault of the CPU
            self.status = 128
            cpu.emu_stop()
            return
        first, second, third = (
            cpu.reg_read(name) for name in (reg.UC_ARM64_REG_X0, reg.UC_ARM64_REG_X1, reg.UC_ARM64_REG_X2)
        )
        result = self._answer(cpu.reg_read(reg.UC_ARM64_REG_X8), first, second, third)
        cpu.reg_write(reg.UC_ARM64_REG_X0, result & 0xFFFF_FFFF_FFFF_FFFF)

    def _answer(self, name: int, first: int, second: int, third: int) -> int:
        result = NO_SUCH_CALL
        match name:
            case 93 | 94:  # exit
                self.status = first
                self.cpu.emu_stop()
            case 66:  # writev
                pairs = struct.iter_unpack("<QQ", self.cpu.mem_read(second, 16 * third))
                result = sum(self._write(first, address, size) for address, size in pairs)
            case 64:  # write
                result = self._write(first, second, third)
            case 214:  # brk
                self._break = first if HEAP <= first <= HEAP + HEAP_SIZE else self._break
                result = self._break
            case 222:  # mmap
                result, self._next = self._next, self._next + _pages(second) + PAGE
                self.cpu.mem_map(result, _pages(second))
            case 215:  # munmap
                self.cpu.mem_unmap(first, _pages(second))
                result = 0
            case 216:  # mremap
                result = NO_MEMORY
            case 96 | 134 | 135 | 226 | 233:  # set_tid_address, signals, mprotect, madvise
                result = 0
        return result

    def _write(self, file: int, address: int, size: int) -> int:
        stream = sys.stderr if file == 2 else sys.stdout
        stream.write(self.cpu.mem_read(address, size).decode() if size else "")
        return size


if __name__ == "__main__":
    sys.exit(Machine(Path(sys.argv[1]), sys.argv[2:]).run())
