"""What is measured on one machine in one run, as ratios: `make bench`."""
