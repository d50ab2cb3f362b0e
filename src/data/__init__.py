"""Images and labels: file formats, decoding, cache, split, batches."""
