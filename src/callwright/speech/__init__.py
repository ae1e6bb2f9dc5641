"""Speech: texts spoken and sound written down, in processes of their own or by services the operator names."""
