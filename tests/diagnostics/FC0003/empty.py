# Nothing here yet.
#<- FC0003 no class of this file derives from `FlowSpec`
