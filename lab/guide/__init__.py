"""`lab guide`: a lesson step by step in the terminal: predict, see it happen, compare, explain.

words.py        what the guide says, in English and German
lesson_path.py  who stands between the participants, and what each of them recorded while a step was done
zoom.py         the evidence for one cell, from the bytes inwards, as far as that observer can go
state.py        the course of a lesson: pages, and what each key does; pure
view.py         what a page shows; pure
answers.py      transcripts of learners, and written answers: the same thing to the guide
play.py         the stage behind it: holds a scenario in a thread, at the learner's pace
plain.py        the linear face: for pipes, screen readers and terminals that can do nothing but print
screen.py       the full-screen face
command.py      puts them together
"""
