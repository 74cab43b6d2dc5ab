"""The jobs: each gathers, lets the core plan, and applies. The only code that knows several edges at once."""
