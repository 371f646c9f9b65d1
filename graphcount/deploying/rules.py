"""Rules of deployments: what should not be so between the files of one."""

from __future__ import annotations

from graphcount.report.finding_rows import Finding, RuleInfo

RULES: dict[str, RuleInfo] = {
    rule.id: rule
    for rule in (
        RuleInfo.of(
            "DEP001",
            "deployed-file-missing",
            "high",
            "A deployment names a file that is not in its folder",
            "Reports files that a configuration or a manifest names and the folder does not have.",
            "It cannot be run, or runs with another file of that name from elsewhere.",
            "genai_config.json names `decoder.onnx`, and the folder has `model.onnx` only.",
            "Add the file, or correct the name.",
        ),
        RuleInfo.of(
            "DEP002",
            "deployed-file-outside",
            "high",
            "A deployment reaches files outside its folder",
            "Reports names that lead out of the folder by `..`, as absolute paths or through links."
            " Nothing is read there.",
            "Whoever runs it reads a file of the machine that the package's author chose.",
            "genai_config.json names `../../secrets/model.onnx`.",
            "Put the file into the folder, and name it from there.",
        ),
        RuleInfo.of(
            "DEP003",
            "asset-digest",
            "critical",
            "A shared asset is not what its digest says",
            "With --deep, compares the content of shared assets with the SHA-256 that names them,"
            " as onnxruntime makes it: of the lines `<SHA-256 of a file>  <path>`, by path.",
            "Assets are taken for each other by their name: a changed one changes every package"
            " that shares it.",
            "A tokenizer in `shared_assets/sha256-…` was edited.",
            "Get the asset again from where it was published, or add it under its own digest.",
        ),
        RuleInfo.of(
            "DEP004",
            "deployed-mismatch",
            "medium",
            "An output does not fit the input that it feeds",
            "Compares types, ranks and fixed sizes of outputs and inputs that a configuration,"
            " their names or a convention join.",
            "The components are of different exports: the deployment fails when it runs.",
            "An encoder returns 384 features, and the decoder takes 512.",
            "Export the components together.",
        ),
        RuleInfo.of(
            "DEP005",
            "deployed-model-unclear",
            "medium",
            "Nothing says which model a component is",
            "Reports variants of a package that name no model, and whose folder does not have"
            " exactly one.",
            "Tools that must guess choose different models.",
            "A variant without `executor_info`, and a folder with two .onnx files.",
            "Name the model: `executor_info.ort.model_file`.",
        ),
        RuleInfo.of(
            "DEP006",
            "deployed-file-unknown",
            "info",
            "A file belongs to nobody",
            "Lists files that no component names, and that do not usually lie beside models.",
            "They are shipped with the deployment, and nothing says what they are for.",
            "`old_weights.bin` beside a model that does not use it.",
            "Remove what is not needed.",
        ),
    )
}


def finding(id: str, message: str, **where: object) -> Finding:
    """Return a finding of a rule."""
    return Finding(id, RULES[id].severity, message, dict(where), {})
