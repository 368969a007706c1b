"""The routes of OpenAI's API for audio and models, which OpenAI's own clients call.

Fields, answers, events and errors follow https://platform.openai.com/docs/api-reference/audio and ``…/models``.
"""
