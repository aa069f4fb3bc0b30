"""LibreOffice, for tests and benchmarks: files converted there, a person's work done there."""

import shutil
import subprocess
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

needs_office = pytest.mark.skipif(
    shutil.which("soffice") is None, reason="LibreOffice is not installed"
)

_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
_LIBRARY = (
    _XML + '<!DOCTYPE library:library PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" '
    '"library.dtd">\n<library:library xmlns:library="http://openoffice.org/2000/library" '
    'library:name="Standard" library:readonly="false" library:passwordprotected="false">'
    '<library:element library:name="Person"/></library:library>'
)
_MODULE = (
    _XML + '<!DOCTYPE script:module PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" '
    '"module.dtd">\n<script:module xmlns:script="http://openoffice.org/2000/script" '
    'script:name="Person" script:language="StarBasic">{}</script:module>'
)
_WORK = """
Function opened(path As String) As Object
  Dim how(2) As New com.sun.star.beans.PropertyValue
  how(0).Name = "Hidden" : how(0).Value = True
  If Right(path, 4) = ".csv" Then
    how(1).Name = "FilterName" : how(1).Value = "Text - txt - csv (StarCalc)"
    how(2).Name = "FilterOptions" : how(2).Value = "{csv}"
  End If
  opened = StarDesktop.loadComponentFromURL(ConvertToURL(path), "_blank", 0, how())
End Function

Function table(sheet As Object) As Object
  cursor = sheet.createCursor() : cursor.gotoEndOfUsedArea(False)
  last = cursor.RangeAddress
  table = sheet.getCellRangeByPosition(0, 0, last.EndColumn, last.EndRow)
End Function

Sub sort(sheet As Object, column As Long, ascending As Boolean)
  Dim field(0) As New com.sun.star.table.TableSortField
  field(0).Field = column : field(0).IsAscending = ascending
  Dim how(1) As New com.sun.star.beans.PropertyValue
  how(0).Name = "SortFields" : how(0).Value = field()
  how(1).Name = "ContainsHeader" : how(1).Value = True
  table(sheet).sort(how())
End Sub

Sub save(book As Object, path As String, kind As String, options As String)
  Dim how(1) As New com.sun.star.beans.PropertyValue
  how(0).Name = "FilterName" : how(0).Value = kind
  how(1).Name = "FilterOptions" : how(1).Value = options
  book.storeToURL(ConvertToURL(path), how())
End Sub

Sub Main
  On Error Goto Failed
  Work
  StarDesktop.terminate()
  Exit Sub
Failed:
  Open "{log}" For Output As #1
  Print #1, "line " & Erl & ": " & Error$
  Close #1
  StarDesktop.terminate()
End Sub
"""
CSV = "44,34,76,1"
"""How it writes CSV: commas, double quotes, UTF-8, from the first line."""


def soffice(folder: Path, *arguments: str | Path, timeout: float = 120) -> None:
    """Run LibreOffice with a profile of its own in `folder`."""
    profile = f"-env:UserInstallation={_profile(folder).as_uri()}"
    command = ["soffice", profile, "--headless", "--norestore", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=timeout)


def converted(path: Path, kind: str, folder: Path, *options: str) -> Path:
    """Convert a file into `folder`; `kind` as for --convert-to: `ods`, or `csv:filter:options`."""
    soffice(folder, *options, "--convert-to", kind, "--outdir", folder, path)
    return folder / path.with_suffix(f".{kind.partition(':')[0]}").name


def work(folder: Path, basic: str, timeout: float = 120) -> None:
    """Do what a person would do in the program: `basic` is the `Sub Work` of a Basic macro.

    It may call `opened`, `table`, `sort` and `save`. Raises RuntimeError where it failed.
    """
    standard = _profile(folder) / "user" / "basic" / "Standard"
    if not standard.exists():
        soffice(folder, "--terminate_after_init")  # makes the profile, over whatever is there
    log = folder / "basic.log"
    log.unlink(missing_ok=True)
    code = _WORK.replace("{log}", str(log)).replace("{csv}", CSV) + basic
    (standard / "script.xlb").write_text(_LIBRARY, "utf-8")
    (standard / "Person.xba").write_text(_MODULE.format(escape(code)), "utf-8")
    soffice(folder, "macro:///Standard.Person.Main", timeout=timeout)
    if log.exists():
        raise RuntimeError(log.read_text("utf-8"))


def _profile(folder: Path) -> Path:
    return folder / "profile"
