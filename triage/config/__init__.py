"""Everything an operator writes: settings, fleet, teams, plans, lexicon, fault tables; read once, checked whole."""
