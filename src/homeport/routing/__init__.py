"""Which of several models a request goes to: decided at once, from what is known of their health and load."""
