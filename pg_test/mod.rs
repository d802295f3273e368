// In-server tests, one file per area.
