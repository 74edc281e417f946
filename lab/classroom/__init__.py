"""The classroom: a web face for one class with a teacher, a projector and many phones.

Flask answers pages and API, Tornado holds the connections by which everybody is told of changes. What happens in a
class is decided in `model` (pure) and kept in `store` (SQLite); `classroom` is the one object that faces talk to.
"""
