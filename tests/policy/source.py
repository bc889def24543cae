"""source.py - C sources as the policy scripts see them

Not a compiler: it blanks comments, literals and preprocessor lines, keeping
every character's line, and finds functions, declarations and tables in what
is left.  The hand of the house is regular enough for that.
"""
import os
import re
import sys

TOP = os.environ.get("srcdir") or os.path.join(os.path.dirname(__file__),
                                               "..", "..")
HERE = os.path.join(TOP, "tests", "policy")


def paths(folders, suffixes):
    """The files of these folders, relative to the top, in order."""
    found = []
    for folder in folders:
        for where, dirs, names in os.walk(os.path.join(TOP, folder)):
            dirs[:] = [d for d in dirs if not d.startswith(".")]
            found += [os.path.relpath(os.path.join(where, name), TOP)
                      for name in names if name.endswith(suffixes)]
    return sorted(found)


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def table(name):
    """The rows of a table file beside the scripts: (line number, text)."""
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        for n, line in enumerate(f, 1):
            line = line.split("#", 1)[0].strip()
            if line:
                yield n, line


def blank(text):
    return re.sub(r"[^\n]", " ", text)


LITERAL = re.compile(r"/\*.*?\*/|//[^\n]*"
                     r"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
ATTRIBUTE = re.compile(r"__attribute__\s*\(\((?:[^()]|\((?:[^()]|\([^()]*\))*"
                       r"\))*\)\)|\bAUTO\(\w+\)|\b_Alignas\([^()]*\)")


def without_literals(text):
    """Comments become spaces; a literal keeps its quotes."""
    def keep(m):
        s = m.group()
        if s[0] == "/":
            return blank(s)
        return s[0] + blank(s[1:-1]) + s[-1]
    return LITERAL.sub(keep, text)


def closing(code, at):
    """Where the bracket that opens at `at' is closed."""
    depth = 0
    for m in re.compile(r"[{}()\[\]]").finditer(code, at):
        depth += 1 if m.group() in "{([" else -1
        if depth == 0:
            return m.start()
    return len(code) - 1


class Function:
    def __init__(self, head, start, opening, end):
        self.head, self.start, self.opening, self.end = (head, start,
                                                         opening, end)
        named = re.search(r"(\w+)\s*\(", head)
        self.name = named.group(1) if named else "?"


class Source:
    def __init__(self, path):
        self.path = path
        self.text = read(path)
        self.lines = self.text.split("\n")
        self.plain = without_literals(self.text)
        code = DIRECTIVE.sub(lambda m: blank(m.group()), self.plain)
        code = ATTRIBUTE.sub(lambda m: blank(m.group()), code)
        self.code = re.sub(r'extern\s+"[ ]*"\s*\{',
                           lambda m: blank(m.group()), code)
        self.functions, self.declarations = [], []
        self._split()
        self.tables = self._tables()

    def line(self, at):
        return self.code.count("\n", 0, at) + 1

    def _split(self):
        """Top-level items: a function, or text up to `;' with each braced
        part written as {}."""
        code, at, start, text = self.code, 0, 0, ""
        while at < len(code):
            c = code[at]
            if c == "{":
                end = closing(code, at)
                if "=" not in text and text.rstrip().endswith(")"):
                    self.functions.append(Function(text, start, at, end))
                    text, start = "", end + 1
                else:
                    text += "{}"
                at = end
            elif c == ";":
                self.declarations.append((start, text))
                text, start = "", at + 1
            elif c == "}":          # of an extern "C" block
                text, start = "", at + 1
            else:
                text += c
                if not text.strip():
                    start = at + 1
            at += 1

    def statics(self):
        """Declarations of static variables inside functions."""
        for f in self.functions:
            body = self.code[f.opening:f.end]
            for m in re.finditer(r"\bstatic\b", body):
                at, text = f.opening + m.start(), ""
                first = at
                while self.code[at] != ";":
                    if self.code[at] == "{":
                        text, at = text + "{}", closing(self.code, at)
                    else:
                        text += self.code[at]
                    at += 1
                yield first, text

    def _tables(self):
        """The lines of initializers, enumerations, structs and macros of
        several lines, where rows may be long."""
        lines = set()

        def take(first, last):
            lines.update(range(self.line(first), self.line(last) + 1))
        for m in re.finditer(r"=\s*\{|\b(?:enum|struct|union)\s*\w*\s*\{",
                             self.code):
            opening = m.end() - 1
            start = max(self.code.rfind(c, 0, m.start()) for c in ";}\n") + 1
            take(min(start, m.start()), closing(self.code, opening))
        for m in DIRECTIVE.finditer(self.plain):
            if "\n" in m.group():
                take(m.start(), m.end())
        return lines


def arguments(head):
    """The parameters in a function's head or prototype, as texts."""
    named = re.search(r"\w+\s*\(", head)
    if not named:
        return []
    opening = named.end() - 1
    inner = head[opening + 1:closing(head, opening)]
    return [a.strip() for a in split(inner) if a.strip() not in ("", "void")]


def split(text):
    """Splits at commas that stand in no bracket."""
    parts, depth, part = [], 0, ""
    for c in text:
        depth += (c in "([{") - (c in ")]}")
        if c == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += c
    return parts + [part]


class Variable:
    """One declarator: its name, and whether it can be written to."""
    def __init__(self, name, writable):
        self.name, self.writable = name, writable


def variables(text):
    """The variables that a declaration's text declares; empty for a type, a
    prototype, a typedef or an assertion."""
    text = text.strip()
    if not text or re.match(r"typedef\b|_Static_assert\b", text):
        return []
    found, base_const = [], None
    for part in split(text):
        left = part.split("=", 1)[0].strip()
        pointer = re.match(r"[^()]*\(\s*\*\s*(const\s+)?(\w+)\s*"
                           r"(?:\[[^\]]*\]\s*)*\)", left)
        if base_const is None:
            if re.fullmatch(r"(?:const\s+)?(?:struct|union|enum)\s*\w*\s*"
                            r"(?:\{\})?", left):
                return []
            base_const = bool(re.search(r"\bconst\b",
                                        re.split(r"[*(]", left)[0]))
        if pointer:
            found.append(Variable(pointer.group(2), not pointer.group(1)))
            continue
        if "(" in left:
            return found
        name = re.search(r"(\w+)\s*(?:\[[^\]]*\]\s*)*$", left)
        if not name:
            continue
        const = base_const
        if "*" in left:
            const = bool(re.search(r"\bconst\b", left.rsplit("*", 1)[1]))
        found.append(Variable(name.group(1), not const))
    return found


class Report:
    """Collects what is wrong; its end is the test's end.  A table names
    the files in which a rule does not hold; one that is not needed any more
    is wrong as well."""
    def __init__(self, exceptions=None):
        self.count = 0
        self.excused, self.used = {}, set()
        for n, text in table(exceptions) if exceptions else []:
            fields = text.split(None, 2)
            if len(fields) < 3:
                sys.exit("%s:%d: a reason is missing" % (exceptions, n))
            self.excused[(fields[0], fields[1])] = (exceptions, n)

    def __call__(self, path, line, text, rule=None):
        if (path, rule) in self.excused:
            self.used.add((path, rule))
            return
        self.count += 1
        print("%s:%d: %s" % (path, line, text))

    def end(self):
        for which in sorted(set(self.excused) - self.used):
            name, n = self.excused[which]
            self("tests/policy/" + name, n, "%s keeps the rule on %s by now: "
                 "strike this line" % which)
        if self.count:
            print("%d found" % self.count)
        return 1 if self.count else 0
