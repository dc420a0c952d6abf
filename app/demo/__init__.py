"""The demo's own catalogue: products that are drawn, not photographed, so that nothing has to be downloaded."""
