"""HTTP in: one router per noun, its wire models beside it."""
