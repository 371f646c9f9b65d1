"""com.microsoft and com.microsoft.nchwc: operators of onnxruntime, one file a family."""
