"""The sample catalogue of `lookalike demo`, part of the package, so that nothing has to be downloaded."""
