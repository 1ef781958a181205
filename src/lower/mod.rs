//! MODEL to PROGRAM: flat equations to graphs.
