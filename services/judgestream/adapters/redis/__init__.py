"""Redis: what workers share. Never the only copy of anything."""
