"""What an alert is made of: samples, rules over them, channels to tell people by."""
