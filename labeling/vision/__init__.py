"""The vision judge: two labels of one structure, shown to a vision-language model."""
