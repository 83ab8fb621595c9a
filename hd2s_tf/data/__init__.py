"""Videos and data sets in, batches of clips out."""
