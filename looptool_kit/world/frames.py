"""The frames of requests: data only.

`{x}` is the body of a request, `{X}` the same with a capital; `{a}`, `{b}` and `{c}` are several bodies.
"""

DO = (
    "{X}.", "{X}.", "{X}, please.", "Please {x}.", "Can you {x}?", "Could you {x}?", "Could you please {x}?",
    "Would you please {x}?", "I need you to {x}.", "I'd like you to {x}.", "Hey, can you {x}?",
    "Hi! Could you {x}? Thanks!", "I was wondering if you could {x}.", "It would be great if you could {x}.",
    "I want you to {x}.", "When you get a chance, {x}.", "Go ahead and {x}.", "Do me a favour and {x}.",
    "Would you be able to {x}?", "Any chance you could {x}?", "Quick one: {x}.", "{X} — thanks.",
    "{X}. Thank you!", "Hello, please {x}.", "Can you help me? I need to {x}.", "I have to {x}.",
    "I'd like to {x}.", "I want to {x}.", "Help me {x}.", "Good morning! Please {x}.", "ok, {x}", "Now {x}.",
    "Next, {x}.", "So, {x}.", "Would you mind helping me {x}?", "Let's {x}.", "My next request: {x}.",
    "Are you able to {x}?", "For me, please {x}.", "Here's what I need: {x}.",
)  # fmt: skip
ASK = (
    "{X}?", "{X}?", "Hey, {x}?", "Hi, {x}?", "Quick question: {x}?", "Tell me, {x}?", "Just curious: {x}?",
    "One question: {x}?", "Sorry to bother you, but {x}?", "Hello! {X}?", "{X}? Thanks!",
    "I have a question: {x}?", "So, {x}?", "I keep wondering: {x}?", "Could you check for me: {x}?",
    "Please tell me: {x}?",
)  # fmt: skip
NEED = (
    "I need {x}.", "I'd like {x}.", "{X}, please.", "Can I get {x}?", "Could I have {x}?", "I want {x}.",
    "Can you get me {x}?", "Get me {x}.", "I could use {x}.", "Hi, I need {x}.",
    "Could you get me {x}, please?", "I would like {x}, please.", "What I need is {x}.", "Please get me {x}.",
    "May I have {x}?", "{X}. Thanks!",
)  # fmt: skip
BOTH = (
    "{a} and {b}", "{a}, and {b}", "{a} and also {b}", "{a}. Also, {b}", "{a}. Then {b}",
    "two things: {a}, and {b}", "{a}, and on top of that {b}", "{a}. While you're at it, {b}",
)  # fmt: skip
ALONGSIDE = tuple(b for b in BOTH if "Then" not in b)
"""For two requests of which none waits for the other."""
ALL = (
    "{a}, {b}, and {c}",
    "{a}, {b} and also {c}",
    "three things: {a}, {b}, and {c}",
    "{a}. Also, {b}, and {c}",
    "{a}; {b}; and {c}",
)
SAME = (
    "{a}, and do the same {b}",
    "{a}, then do the same {b}",
    "{a}. Also do the same {b}",
    "{a}, and likewise {b}",
    "{a}, and once more {b}",
)
STEPS = (
    "{a}, then {b}", "{a} and then {b}", "{a}. Then {b}", "first {a}, then {b}", "{a}; after that, {b}",
    "{a}, and once that's done {b}", "{a} and after that {b}",
)  # fmt: skip
HELLO = (
    "Hi there!",
    "Hey!",
    "Good evening.",
    "Hello again.",
    "Hi, it's me again.",
    "Good afternoon!",
    "Morning!",
    "Hello!",
)
BYE = (
    "Thanks!", "Thank you.", "Many thanks.", "That would help a lot.", "I appreciate it.", "Cheers.",
    "That's all for now.", "Thanks in advance.", "No rush.",
)  # fmt: skip
LISTED = ("{X}.", "{X}.", "{X}, please.", "Hi! {X}.", "{X}. Thanks!", "Hey, {x}.", "Good morning! {X}.")
NEXT = (
    "{X}.", "Great, {x}.", "Thanks! Now {x}.", "Perfect, please {x}.", "OK, {x}.", "Now {x}, please.",
    "Good. Can you {x}?", "Nice. Could you {x}?", "Thank you. Next, {x}.", "Alright, {x}.",
    "That works. Please {x}.", "Okay great, now {x}.",
)  # fmt: skip
BACK = (
    "Actually, {x}.", "Hmm, something came up. Please {x}.", "Wait, {x}.", "Sorry, change of plans: {x}.",
    "On second thought, {x}.", "Oh, could you {x}?", "My plans changed, so please {x}.",
)  # fmt: skip
AGAIN = (
    "Now do the same {x}.", "And the same {x}, please.", "Can you do that again {x}?",
    "Thanks! Same thing {x}.", "Great. Please do the same {x}.", "Could you repeat that {x}?",
    "Okay, and now the same {x}.", "I also need the same {x}.",
)  # fmt: skip
AND_WHAT = (
    "What about {x}?", "And {x}?", "How about {x}?", "Thanks. And {x}?", "OK, and {x}?",
    "Good to know. What about {x}?", "And what about {x}?", "Okay. How about {x}?",
)  # fmt: skip
