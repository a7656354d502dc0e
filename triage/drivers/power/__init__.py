"""Taking the power from piles and giving it back, through the breaker, relay or smart plug that feeds them."""
