"""Durable agents of a running server, from Python: make them, talk to them, follow them, decide for people.

    from seawall.agents import Agents

    def weather(city: str) -> str:
        "The weather in a city."
        return f"sunny in {city}"

    with Agents("http://127.0.0.1:8000") as agents:
        agent = agents.create("helper", id="friend", tools=[weather])
        print(agent.complete("How is the weather in Oslo?").text)
        for words in agent.stream("And in Rome?"):
            print(words, end="")

Nothing but the standard library. The agents live at the server: a program that ends, or is killed, loses none; the next
one finds them by their names.
"""

from seawall.agents.client import Agent, AgentError, Agents, Reply, Sent
from seawall.agents.events import Event

__all__ = ["Agent", "AgentError", "Agents", "Event", "Reply", "Sent"]
