"""To-do lists and notes."""

from looptool_kit.world.pools import TOPICS
from looptool_kit.world.spec import Domain, P, T
from looptool_kit.world.types import (
    DATE,
    FIRST_NAME,
    MESSAGE,
    PAST_DATE,
    TASK,
    TITLE,
    boolean,
    constant,
    count,
    enum,
    identifier,
    list_of,
    pool,
    record,
)

TODO = identifier("TD", "task")
NOTE = identifier("NT", "note")
TAG = pool(
    "tag",
    "a label",
    TOPICS,
    clauses=("tagged {}", "with the tag {}"),
    question="Which tag?",
    words=("tag", "label"),
)
LIST = enum(
    "home", "weekend", "errands", "family", "someday", question="Which to-do list?", words=("list", "which")
)
PRIORITY = enum("low", "medium", "high", "urgent", question="Which priority?", words=("priority",))

DOMAIN = Domain.of(
    "tasks",
    T(
        "add_task",
        "Add a task to a to-do list.",
        [
            P("task", TASK),
            P("list", LIST, "to the {} list", "to my {} list"),
            P("priority", PRIORITY, "with {} priority", "at {} priority", default="medium"),
            P("due", DATE, "due {@}", "with {} as the due date", opt=True),
        ],
        do=[
            "add {task}",
            "add the task {task}",
            "add {task} to my {list} to-do list",
            "put {task} on my {list} to-do list",
            "add a task",
            "add something to my {list} to-do list",
        ],
        why=["This must not slip my mind.", "I've thought of something else."],
        out={"task_id": TODO, "open_tasks": count(2, 40)},
        makes=TODO,
        reply="It's on your list as {task_id}; you have {open_tasks} open tasks.",
    ),
    T(
        "update_task",
        "Change a task's due date, priority or owner.",
        [
            P("task_id", TODO),
            P("due", DATE, "to be due {@}", opt=True),
            P("priority", PRIORITY, "to have {} priority", opt=True),
            P("assignee", FIRST_NAME, "to belong to {}", opt=True),
        ],
        do=["update {task_id}", "change {task_id}", "edit {task_id}", "modify {task_id}", "adjust {task_id}"],
        why=["Things have shifted a bit.", "We've talked about it."],
        out={"task_id": "=task_id", "status": constant("updated"), "open_tasks": count(2, 40)},
        changes=TODO,
        reply="The task is updated; there are {open_tasks} open tasks.",
    ),
    T(
        "complete_task",
        "Mark a task as done.",
        [P("task_id", TODO)],
        do=[
            "mark {task_id} as done",
            "complete {task_id}",
            "tick off {task_id}",
            "check off {task_id}",
            "set {task_id} to done",
            "mark a task as done",
            "tick off a task",
        ],
        why=["That was quick.", "Finally finished."],
        out={"task_id": "=task_id", "open_tasks": count(2, 40)},
        cancels=TODO,
        later=True,
        reply="The task is done; {open_tasks} are still open.",
    ),
    T(
        "list_tasks",
        "List the open tasks of a to-do list.",
        [
            P("list", LIST, "on my {} list", "on the {} list"),
            P("sort", enum(priority="sorted by priority", due="sorted by due date"), opt=True),
        ],
        do=[
            "list the open tasks",
            "show me the open tasks",
            "read me the tasks",
            "go through the tasks",
            "list the tasks on my {list} to-do list",
        ],
        ask=[
            "which tasks are open on my {list} list",
            "what is left to do on my {list} list",
            "which tasks are still open on the {list} list",
            "what's on my {list} list",
        ],
        why=["I have some time now.", "I've lost track of everything."],
        out={"tasks": list_of(record(task_id=TODO, task=TASK, priority=PRIORITY), 2, 3)},
        lists=TODO,
        refer={"tasks": ("the task {.task} on my {list} list", "{.task} on my {list} to-do list")},
        reply="There are {tasks.n} open tasks; the first one listed is {tasks.0.task}.",
    ),
    T(
        "create_note",
        "Write a note.",
        [
            P("title", TITLE),
            P("text", MESSAGE, "with the text {}", "saying {}"),
            P("tags", list_of(TAG, 1, 3), "tagged {}", "with tags {}", opt=True),
            P("pinned", boolean("pinned to the top|that stays pinned"), opt=True),
        ],
        do=["create a note", "write a note", "make a note", "save a note", "start a new note"],
        need=["a note", "a new note", "a quick note"],
        why=["I want to keep this.", "My head is full."],
        out={"note_id": NOTE, "status": constant("saved")},
        makes=NOTE,
        reply="Your note is saved as {note_id}.",
    ),
    T(
        "search_notes",
        "Search for notes by tag.",
        [P("tag", TAG), P("after", PAST_DATE, "written after {}", "from after {}", opt=True)],
        do=[
            "find notes",
            "search for notes",
            "look up notes",
            "show me the notes",
            "search my notes for ones",
        ],
        ask=["which notes do I have", "do I have any notes", "are there any notes", "what notes are there"],
        need=["the notes", "my notes", "all notes"],
        why=["I wrote it down somewhere.", "I can't remember the details."],
        out={"notes": list_of(record(note_id=NOTE, title=TITLE, words=count(12, 900)), 2, 3)},
        refer={
            "notes": ("the note {.title} tagged {tag}{?after}", "my note {.title} with the tag {tag}{?after}")
        },
        reply="I found {notes.n} notes, the first one titled {notes.0.title}.",
    ),
    T(
        "append_to_note",
        "Add text to the end of a note.",
        [
            P("note_id", NOTE, "to {}"),
            P("line", MESSAGE, ask="What should I add?", words=("add", "text", "what")),
        ],
        do=[
            "add the text {line} to {note_id}",
            "append {line} to {note_id}",
            "append {line}",
            "add the line {line} to {note_id}",
            "append a line",
            "add a line to {note_id}",
        ],
        why=["I forgot a detail.", "There's something to add."],
        out={"note_id": "=note_id", "words": count(20, 900)},
        reply="The text is added; the note now has {words} words.",
    ),
)
