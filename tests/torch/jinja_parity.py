"""Chat templates against Jinja itself, with the settings that transformers gives it: templates as models
have them, and thousands made at random. Where both make a text it is the same; where Chorus refuses,
it says so; where Jinja fails, Chorus does, too.

usage: jinja_parity.py JINJA_PROBE
"""

import json
import random
import subprocess
import sys

import require_packages  # noqa: F401  first: ends the test where there are none
import jinja2.ext
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

TEMPLATES = {
    "GPT-2 of transformers": "{% for message in messages %}{{ message.content }}{{ eos_token }}{% endfor %}",
    "ChatML": "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + "
              "'<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
              "{% endif %}",
    "ChatML, in lines": """{%- for message in messages %}
    {{- '<|im_start|>' ~ message.role }}
    {{ message.content | trim }}
    {#- the end -#}
    <|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
    <|im_start|>assistant
{% endif %}
""",
    "roles in turns": """{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != \
(loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/...') }}{% endif %}\
{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == \
'assistant' %}{{ message['content'] + eos_token + ' ' }}{% else %}{{ raise_exception('Only user and assistant') }}\
{% endif %}{% endfor %}""",
    "a system's message first": """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}\
{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}\
{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if loop.index0 == 0 and \
system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}\
{% else %}{% set content = message['content'] %}{% endif %}{{ content.strip() }}{% endfor %}""",
    "Alpaca": """{% for message in messages %}
{% if message['role'] == 'user' %}
### Instruction:
{{ message['content']|trim -}}
{% if not loop.last %}


{% endif %}
{% elif message['role'] == 'assistant' %}
### Response:
{{ message['content']|trim -}}
{% if not loop.last %}


{% endif %}
{% endif %}
{% endfor %}
{% if add_generation_prompt and messages[-1]['role'] != 'assistant' %}
### Response:
{% endif %}""",
    "a namespace": "{% set ns = namespace(seen=false, text='') %}{% for m in messages %}{% if m.role == 'user' and not "
                   "ns.seen %}{% set ns.seen = true %}first {% endif %}{% set ns.text = ns.text ~ m.content %}"
                   "{% endfor %}{{ ns.text }}{{ ns.seen }}",
    "roles by name": "{% for m in messages %}{{ m.role.capitalize() }}: {{ m['content'] if m.content is string else "
                     "'' }}{{ '\\n' if not loop.last else '' }}{% endfor %}",
    "names": "{% for m in messages %}{{ m.get('name', 'nobody') | upper }}/{{ m.name is defined }}/"
             "{{ m.name | default('x', true) }} {% endfor %}",
    "generation": "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
                  "{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}",
}


def environment():
    class Generation(jinja2.ext.Extension):
        """transformers marks with it what a model says."""
        tags = {"generation"}

        def parse(self, parser):
            next(parser.stream)
            return parser.parse_statements(["name:endgeneration"], drop_needle=True)

    def raise_exception(message):
        raise TemplateError(message)

    result = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation])
    result.globals["raise_exception"] = raise_exception
    return result


ENVIRONMENT = environment()


def jinja_text(template, variables):
    """The text, or an exception's."""
    try:
        return ENVIRONMENT.from_string(template).render(**variables), None
    except Exception as error:  # whatever goes wrong inside of a template
        return None, f"{type(error).__name__}: {error}"


CONTENTS = ["Hello", "", " two words ", "a\nb\n", "{{ not a template }}", "\u00e9t\u00e9 \u4f60\u597d \U0001f600", "\u00a0x\u2003",
            "'quotes\"", "<|endoftext|>", "\x1cA\x1f", "a,b,,c"]


def messages(choose):
    result = []
    for _ in range(choose.choice([0, 1, 1, 2, 3, 4])):
        message = {"role": choose.choice(["user", "assistant", "system"]), "content": choose.choice(CONTENTS)}
        if choose.random() < 0.2:
            message["name"] = choose.choice(["Ann", ""])
        result.append(message)
    return result


def variables(choose):
    return {"messages": messages(choose), "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>",
            "add_generation_prompt": choose.random() < 0.5, "tools": None, "number": choose.randrange(-3, 9)}


class Grammar:
    """Templates at random, of what Chorus takes: most make sense, some fail in both programs."""

    def __init__(self, choose):
        self.choose = choose

    def pick(self, *makers):
        return self.choose.choice(makers)()

    def space(self):
        return self.choose.choice(["", "", " ", "\n", "  \n", "\n\t ", "x", " y\n"])

    def block(self, depth):
        return "".join(self.statement(depth) + self.space() for _ in range(self.choose.randrange(1, 4)))

    def tag(self, inside):
        begin, end = self.choose.choice(["{%", "{%-", "{%+"]), self.choose.choice(["%}", "-%}", "+%}"])
        return f"{begin} {inside} {end}"

    def statement(self, depth):
        kinds = ["print", "print", "text", "comment", "set"] + (["if", "for"] if depth else [])
        kind = self.choose.choice(kinds)
        if kind == "text":
            return self.choose.choice(["word", " ", "\n", "a\r\nb", "}", "{", "%}", "\u00e9"])
        if kind == "comment":
            return self.choose.choice(["{# a #}", "{#- a -#}", "{#+ a\n +#}", "{# a -#}"])
        if kind == "print":
            begin, end = self.choose.choice(["{{", "{{-"]), self.choose.choice(["}}", "-}}"])
            return f"{begin} {self.expression(2)} {end}"
        if kind == "set":
            return self.tag(f"set {self.choose.choice(['v', 'w'])} = {self.expression(2)}")
        if kind == "if":
            result = self.tag(f"if {self.expression(2)}") + self.block(depth - 1)
            if self.choose.random() < 0.3:
                result += self.tag(f"elif {self.expression(1)}") + self.block(depth - 1)
            if self.choose.random() < 0.4:
                result += self.tag("else") + self.block(depth - 1)
            return result + self.tag("endif")
        over = self.choose.choice(["messages", "messages[1:]", "messages[:-1]", "[1, 'a', none]", "[]", "missing"])
        result = self.tag(f"for m in {over}") + self.block(depth - 1)
        if self.choose.random() < 0.2:
            result += self.tag("else") + self.block(depth - 1)
        return result + self.tag("endfor")

    def expression(self, depth):
        if depth == 0 or self.choose.random() < 0.4:
            return self.choose.choice(["'a'", "'b\\n'", '"Q\'"', "1", "0", "-2", "true", "none", "v", "number", "eos_token",
                                       "m.content", "m['role']", "m.role", "messages[0].content", "messages[-1]['role']",
                                       "loop.index", "loop.first", "loop.last", "loop.revindex0", "missing",
                                       "messages[5]", "messages", "add_generation_prompt", "'x' 'y'", "[1, 'a']"])
        left, right = self.expression(depth - 1), self.expression(depth - 1)
        return self.choose.choice([
            lambda: f"{left} + {right}", lambda: f"{left} ~ {right}", lambda: f"{left} == {right}",
            lambda: f"{left} != {right}", lambda: f"{left} and {right}", lambda: f"{left} or {right}",
            lambda: f"not {left}", lambda: f"{left} in {right}", lambda: f"{left} not in {right}",
            lambda: f"{left} % {right}", lambda: f"{left} - {right}", lambda: f"{left} * {right}",
            lambda: f"{left} // {right}", lambda: f"{left} <= {right}", lambda: f"{left} > {right}",
            lambda: f"{left} if {right}", lambda: f"{left} if {right} else {left}", lambda: f"({left})",
            lambda: f"({left}) | {self.choose.choice(['trim', 'upper', 'lower', 'length', 'string', 'first', 'last', 'capitalize'])}",
            lambda: f"({left}) | default({right})", lambda: f"({left}) | join('-')", lambda: f"({left}) | replace('a', {right})",
            lambda: f"({left}).{self.choose.choice(['strip', 'lstrip', 'rstrip', 'upper', 'lower', 'title', 'capitalize'])}()",
            lambda: f"({left}).startswith({right})", lambda: f"({left}).split(',')", lambda: f"({left}).split({right})[0]",
            lambda: f"({left}) is {self.choose.choice(['', 'not '])}{self.choose.choice(['defined', 'none', 'string', 'mapping', 'iterable', 'undefined', 'true'])}",
            lambda: left, lambda: left])()


def cases(seed, count):
    choose = random.Random(seed)
    for name, template in TEMPLATES.items():
        for _ in range(40):
            yield name, template, variables(choose)
    for number in range(count):
        yield f"random {number}", Grammar(choose).block(2), variables(choose)


def main():
    seed, count = 1, int(sys.argv[2]) if len(sys.argv) > 2 else 6000
    probe = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    tally, wrong = {"same text": 0, "both fail": 0, "refused here": 0}, []
    for name, template, given in cases(seed, count):
        probe.stdin.write(json.dumps({"template": template, "variables": given}) + "\n")
        probe.stdin.flush()
        found = json.loads(probe.stdout.readline())
        text, error = jinja_text(template, given)
        if text is not None and found.get("text") == text:
            tally["same text"] += 1
        elif text is None and "error" in found:
            tally["both fail"] += 1
        elif text is not None and "error" in found and name not in TEMPLATES:
            tally["refused here"] += 1
        else:
            wrong.append((name, template, given, found, text, error))
    probe.stdin.close()
    probe.wait()
    print(tally, len(wrong), "differ")
    for one in wrong[:10]:
        print("\n  ".join(["DIFFERS:", *map(repr, one)]))
    few = [kind for kind, number in tally.items() if number < 100]
    if few:
        print("too few to tell anything:", few)
    sys.exit(1 if wrong or few else 0)


main()
