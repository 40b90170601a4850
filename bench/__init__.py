"""What Treadle's speed is measured with. See README.md."""
