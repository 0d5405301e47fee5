"""Recurrent cells that torch does not have, as cores: diagonal linear recurrences, and an LSTM with a refined gate."""
