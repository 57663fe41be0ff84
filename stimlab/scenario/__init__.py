"""A scenario as data: its model, its TOML file, and those that come with stimctl."""
