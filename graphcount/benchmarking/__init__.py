"""Real latency with onnxruntime: measured in a child process, joined to what the graph should cost.

The parent plans the inputs (`plan`), starts a child with limits (`process`, `worker`), and joins
what it measured to the graph (`result`, `attribute`, `operators`). Only the child imports
onnxruntime: a crash, a hang or a lack of memory there is one line here.
"""
