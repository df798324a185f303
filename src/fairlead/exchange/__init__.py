"""The simulated exchange: a real matching engine with its own store, faults and operator API."""
