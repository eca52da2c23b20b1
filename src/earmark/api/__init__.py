"""Earmark for Python: classify, embed, plan, write, train and evaluate.

All names here are those of ``import earmark``; what is not among them is internal and may change.

Single files and samples are decoded in the process that calls: `classify`, `spectrogram`, `Model`
and `Embedder` are for files that you trust, and work in notebooks and scripts alike. A `Session`
decodes in worker processes with a time limit, as the command line does: a file that crashes or
hangs its decoder costs one worker, and the rest goes on. A script that uses one has to keep its
own start behind ``if __name__ == "__main__":``, since the workers import it.
"""
