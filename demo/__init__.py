"""A demonstration from nothing: believable scenes and an area of interest are invented, exported and drawn."""
