import{a,b}from"./chunk-INHJ2AOJ.js";import"./chunk-KR5HNMPA.js";import"./chunk-FRVTRG5M.js";export{b as configureNesting,a as parser};
