"""Which sites would bring most people to the target: demand, coverage, choice, plan."""
