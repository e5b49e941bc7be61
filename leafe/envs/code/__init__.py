"""Programming problems: write a program, see which tests it fails, mend it, submit it."""
