"""Device profiles: how one model's registers or topics become the field's words, written as data by an operator."""
