"""What owners are written about their exports: letters from templates, and the mails that carry them."""
