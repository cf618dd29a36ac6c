"""A language model behind an OpenAI-compatible server.

The client, and answers in a given form.
"""
