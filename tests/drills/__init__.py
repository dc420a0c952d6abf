"""Fault drills: a server and its database under load, killed, cut off and starved; what is lost or wrong is counted."""
