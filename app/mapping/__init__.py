"""The numerics of maps: principal components, neighbours, a layout in the plane, clusters. NumPy alone."""
