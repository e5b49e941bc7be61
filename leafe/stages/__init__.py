"""One module per DVC stage: parameters in, the method called, files out."""
