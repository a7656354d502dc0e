"""Everything an operator writes: settings, fleet, teams, plans, lexicon and fault tables, read once and checked whole."""
