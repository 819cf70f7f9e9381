"""Networks, data mix, training, annealing and evaluation."""
