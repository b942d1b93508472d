"""The interactive map.

Its colours serve other rooms too: nothing is imported here, so that they need no folium.
"""
