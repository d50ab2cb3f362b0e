"""What each command does, from the command line to the finished run directory."""
