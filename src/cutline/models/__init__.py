"""What travels between the steps: frozen pydantic models that refuse unknown fields."""
