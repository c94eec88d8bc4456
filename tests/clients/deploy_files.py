"""deploy/ as far as it can be checked without a cluster or a machine to install on: deploy_files.py
PROGRAM FOLDER. The parts of the Kubernetes manifest against each other, the unit by systemd-analyze,
the rules and the metrics by promtool, the options in all of them by the program. Where a tool is absent
the rest is checked, and the test is then skipped by the tool's name."""

import os
import re
import shutil
import subprocess
import sys

from serving import Server, skip

try:
    import yaml
except ImportError:
    yaml = None

DEPLOY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "deploy")


def read(*names):
    with open(os.path.join(DEPLOY, *names), encoding="utf-8") as file:
        return file.read()


def check_kubernetes(options):
    documents = list(yaml.safe_load_all(read("kubernetes", "chorus.yaml")))
    by_kind = {document["kind"]: document for document in documents}
    assert len(by_kind) == len(documents)
    deployment = by_kind["Deployment"]["spec"]
    pod = deployment["template"]["spec"]
    container = pod["containers"][0]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"].items() <= labels.items()
    assert by_kind["Service"]["spec"]["selector"].items() <= labels.items()
    assert by_kind["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert by_kind["Service"]["spec"]["ports"][0]["targetPort"] in ports
    # A Service called as the program would set CHORUS_PORT; an autoscaler and `replicas` would fight.
    assert by_kind["Service"]["metadata"]["name"] == "chorus" and pod["enableServiceLinks"] is False
    target = by_kind["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert target["name"] == by_kind["Deployment"]["metadata"]["name"] and "replicas" not in deployment
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert volumes.keys() == mounts.keys()
    claim = volumes["models"]["persistentVolumeClaim"]["claimName"]
    assert claim == by_kind["PersistentVolumeClaim"]["metadata"]["name"]
    assert volumes["keys"]["secret"]["secretName"] == "chorus-keys"
    words = container["args"]
    for word in words:
        assert not word.startswith("--") or word in options, word
    assert words[words.index("--api-key-file") + 1].startswith(mounts["keys"] + "/")
    drain = float(words[words.index("--drain-timeout") + 1])
    wait = float(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > drain + wait
    # A pod whose configuration is wrong is found by its readiness, not by its liveness.
    assert container["readinessProbe"]["httpGet"]["path"] == "/health"
    assert container["livenessProbe"]["httpGet"]["path"] == "/plaintext"


def check_unit(program, folder, options):
    service, config = read("systemd", "chorus.service"), read("systemd", "chorus.toml")
    # What the commands at the unit's head install is what it reads.
    commands = [line for line in service.splitlines() if line.startswith("#   sudo install ")]
    assert len(commands) == 2, commands
    for path in ("chorus.service", "chorus.socket", "chorus.toml"):
        assert sum(f"deploy/systemd/{path}" in command for command in commands) == 1, path
    installed = re.findall(r"(/etc/chorus\S*)", " ".join(commands))
    assert installed == ["/etc/chorus", "/etc/chorus/credentials"], installed
    for path in re.findall(r"^(?:ExecStart|LoadCredential)=.*[ :](/etc/\S+)$", service, re.MULTILINE):
        assert path in ("/etc/chorus/chorus.toml", "/etc/chorus/credentials"), path
    assert "Type=notify\n" in service and "\nRuntimeDirectory=chorus\n" in service
    stop = int(re.search(r"^TimeoutStopSec=(\d+)$", service, re.MULTILINE)[1])
    assert stop > int(re.search(r"^drain-timeout = (\d+)$", config, re.MULTILINE)[1])
    # Every line of the file is right, also those that are only suggested.
    for line in re.findall(r"^#([a-z-]+) = ", config, re.MULTILINE):
        assert "--" + line in options, line
    whole = os.path.join(folder, "chorus.toml")
    with open(whole, "w", encoding="utf-8") as file:
        file.write(re.sub(r"^#(?=[a-z-]+ = )", "", config, flags=re.MULTILINE))
    checked = subprocess.run([program, "serve", "--check", "--config", whole], capture_output=True,
                             text=True)
    assert checked.returncode == 1 and "/run/credentials/chorus.service" in checked.stderr, checked
    if shutil.which("systemd-analyze"):
        unit = os.path.join(folder, "chorus.service")
        with open(unit, "w", encoding="utf-8") as file:
            file.write(service.replace("/usr/local/bin/chorus", os.path.abspath(program)))
        shutil.copy(os.path.join(DEPLOY, "systemd", "chorus.socket"), folder)
        checked = subprocess.run(["systemd-analyze", "verify", unit, folder + "/chorus.socket"],
                                 capture_output=True, text=True)
        assert checked.returncode == 0 and checked.stderr == "", checked.stderr


def check_metrics(program, folder):
    with Server(program) as server:
        server.get("/generate/Once?max_length=8&seed=1")
        server.post("/v1/score", {"text": "Once upon a time"})
        status, text = server.get("/metrics")
    assert status == 200
    names = set(re.findall(r"^# TYPE (\S+)", text.decode(), re.MULTILINE))
    used = read("prometheus", "alerts.yaml") + read("grafana", "chorus.json")
    for name in set(re.findall(r"\bchorus_\w+", used)):
        assert re.sub("_(bucket|sum|count)$", "", name) in names or name in names, name
    if shutil.which("promtool"):
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        rules = os.path.join(DEPLOY, "prometheus", "alerts.yaml")
        checked = subprocess.run(["promtool", "check", "rules", rules], capture_output=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def main(program, folder):
    os.makedirs(folder, exist_ok=True)
    help_text = subprocess.run([program, "serve", "--help"], capture_output=True, text=True).stdout
    options = set(re.findall(r"(--[a-z][a-z-]+)", help_text))
    if yaml:
        check_kubernetes(options)
    check_unit(program, folder, options)
    check_metrics(program, folder)
    missing = [tool for tool in ("systemd-analyze", "promtool") if not shutil.which(tool)]
    missing += [] if yaml else ["yaml for this Python"]
    if missing:
        skip("no " + ", ".join(missing) + "; the rest passed")


main(*sys.argv[1:])
