"""Rules of the network as pure machines: times and events in, effects out."""
