"""Tools as people have them: Python functions, OpenAI and OpenAPI files, MCP servers; their schemas; the
tools of a run.
"""
