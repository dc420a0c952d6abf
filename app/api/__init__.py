"""HTTP only: parse, call one service function, write the envelope."""
